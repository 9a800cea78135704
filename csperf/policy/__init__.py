"""Plans are data: the plan language, its checks, and the tables that dbt evaluates."""
