{{ landed('complaints') }}
