"""The two roles of csperf in Airflow: who may answer an approval, and who may start runs and not answer.

Run once before the server starts, and again harmlessly: what is there stays. Both may look at DAGs, runs and logs,
which hold no pay.
"""

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from airflow.providers.fab.www.security import permissions as may

LOOK = FabAirflowSecurityManagerOverride.VIEWER_PERMISSIONS
ANSWER = [
    (may.ACTION_CAN_ACCESS_MENU, may.RESOURCE_HITL_DETAIL),
    (may.ACTION_CAN_EDIT, may.RESOURCE_HITL_DETAIL),
    # Airflow asks for this beside it; it lets one pause these two DAGs, and neither start nor clear their runs.
    *(
        (may.ACTION_CAN_EDIT, may.resource_name(dag, may.RESOURCE_DAG))
        for dag in ("csperf_monthly", "csperf_quarterly")
    ),
]
RUN = [
    (may.ACTION_CAN_EDIT, may.RESOURCE_DAG),
    (may.ACTION_CAN_CREATE, may.RESOURCE_DAG_RUN),
    (may.ACTION_CAN_EDIT, may.RESOURCE_DAG_RUN),
    (may.ACTION_CAN_EDIT, may.RESOURCE_TASK_INSTANCE),
    (may.ACTION_CAN_CREATE, may.RESOURCE_BACKFILL),
]
ROLES = [
    {"role": "csperf_approver", "perms": [*LOOK, *ANSWER]},
    {"role": "csperf_operator", "perms": [*LOOK, *RUN]},
]

if __name__ == "__main__":
    with get_application_builder() as builder:
        builder.sm.bulk_sync_roles(ROLES)
