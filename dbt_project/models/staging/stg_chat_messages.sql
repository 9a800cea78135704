{{ landed('chat_messages') }}
