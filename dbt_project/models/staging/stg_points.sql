{{ landed('points') }}
