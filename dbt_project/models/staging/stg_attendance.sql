{{ landed('attendance') }}
