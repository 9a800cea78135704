"""csperf: customer-service records into scorecards, grade decisions and payroll extracts."""
