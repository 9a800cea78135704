{{ landed('hr_events') }}
