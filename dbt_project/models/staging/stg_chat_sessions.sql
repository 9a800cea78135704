{{ landed('chat_sessions') }}
