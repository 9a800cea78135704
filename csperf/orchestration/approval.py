"""The approval between a draft and its publication, in Airflow.

The approving task asks; the publishing task believes nothing but the answer itself. A task that somebody marked as
success by hand has none, so nothing is published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from csperf.errors import CsperfError
from csperf.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from csperf.closing import Draft


FORM = {"reason": Param("", type=["null", "string"], title="Reason", description="Where it is rejected: what is wrong")}
"""What an approval asks for beside the answer: the `params` of its task."""


class Approval(ApprovalOperator):
    """Asks for approval in Airflow's required actions; `CSPERF_APPROVER` answers instead where it is set.

    The answer is the task's result: chosen_options, params_input, responded_by_user, responded_at. A rejection is kept
    with the draft, with its `reason`, before Airflow skips what follows.
    """

    def execute(self, context: Context) -> Any:
        from csperf.approval import approvers

        settings = load_settings()
        approver, allowed = settings.approver, approvers(settings)
        if not approver:
            # Airflow compares user ids; who is named without one is compared when the answer is looked at.
            if allowed and all(allowed.values()):
                self.assigned_users = [{"id": user_id, "name": name} for name, user_id in allowed.items()]
            return super().execute(context)
        self.log.info("Approved by %s, whom CSPERF_APPROVER names for unattended runs", approver)
        return {
            "chosen_options": [self.APPROVE],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": approver, "name": approver},
            "unattended": True,
        }

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        if event.get("chosen_options") == [self.REJECT]:
            from csperf.orchestration.steps import refuse

            try:
                told = refuse(load_settings(), context["ti"].xcom_pull(task_ids="draft"), event)
            except CsperfError as error:
                raise AirflowFailException(str(error)) from None
            self.log.info("%s", told)
        return super().execute_complete(context, event)


@dataclass(frozen=True)
class Approved:
    """Who approved a draft, and when."""

    by: str
    at: datetime


def draft_facts(draft: Draft, drafted_at: datetime) -> dict[str, Any]:
    """What goes from the drafting task to the approver and the publishing task: counts and a digest, no amounts."""
    counts = "".join(f"| {name.replace('_', ' ')} | {count:,} |\n" for name, count in draft.counts.items())
    notes = "".join(f"- {sentence}\n" for sentence in (*draft.notes, *draft.warnings))
    body = (
        f"| {draft.period} | revision {draft.revision} |\n| --- | --- |\n"
        f"| employees | {draft.employees:,} |\n| rows | {draft.rows:,} |\n{counts}"
        f"| digest | {draft.digest[:16]} |\n\n{notes}\n"
        f"The amounts are in `{draft.page}` on the server, beside the figures; they are not kept in Airflow. "
        "Where you reject it, say in `reason` what is wrong."
    )
    return {"digest": draft.digest, "drafted_at": drafted_at.isoformat(), "body": body}


def answered_by(answer: Mapping[str, Any]) -> list[str]:
    """Name and id of who gave an answer; none when it does not say."""
    user = answer.get("responded_by_user") or {}
    return [str(user[part]).strip() for part in ("name", "id") if user.get(part)]


def answered_at(answer: Mapping[str, Any]) -> datetime:
    """When an answer was given."""
    given = answer["responded_at"]
    return given if isinstance(given, datetime) else datetime.fromisoformat(str(given))


def check_answer(
    answer: Mapping[str, Any] | None, drafted_at: datetime, unattended_approver: str | None, preparers: Sequence[str]
) -> Approved:
    """Who approved, and when, if the draft was approved at all.

    `answer` is the approving task's result (None when it never got one), `drafted_at` when the draft it was shown was
    made, `preparers` are those who may not approve: the setting's preparer and whoever started the run. CsperfError
    says why there is no approval.
    """
    if not answer:
        raise CsperfError("Nobody has answered the approval task; clear it and answer it, then this one runs again.")
    if list(answer.get("chosen_options") or ()) != [ApprovalOperator.APPROVE]:
        raise CsperfError("The draft was not approved; nothing is published.")
    names = answered_by(answer)
    if not names or not answer.get("responded_at"):
        raise CsperfError("The answer does not say who gave it and when; clear the approval task and answer it again.")
    if answer.get("unattended") and names[0] != unattended_approver:
        raise CsperfError(f"{names[0]} is not the approver of unattended runs (CSPERF_APPROVER); nothing is published.")
    own = {name.casefold() for name in names} & {name.strip().casefold() for name in preparers if name}
    if own:
        raise CsperfError(f"{names[0]} prepared this draft or started its run; somebody else has to approve it.")
    at = answered_at(answer)
    if at < drafted_at:
        raise CsperfError("The answer is older than the draft: it was given to another; clear the approval task.")
    return Approved(names[0], at)
