{{ landed('calls') }}
