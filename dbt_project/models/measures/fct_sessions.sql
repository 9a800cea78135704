{{ config(materialized='incremental', incremental_strategy='append', tags=['day'],
    pre_hook="{{ clear_stale_dates(['chat_sessions', 'chat_messages']) }}") }}

{#- A session with its response times. The messages of a session are read in the order of message_no; bot and system
    messages neither wait nor answer. An agent's message after a customer's is a reply; it is measured from the
    first customer message that was still unanswered. -#}

with talk as (
    select
        messages.session_id
        , messages.business_date
        , messages.message_no
        , messages.sender
        , messages.sent_at
        , lag(messages.sender) over (
            partition by messages.business_date, messages.session_id order by messages.message_no
        ) as sender_before
    from {{ ref('stg_chat_messages') }} as messages
    where messages.sender in ('customer', 'agent')
)

, waits as (
    select
        session_id
        , business_date
        , message_no
        , sender
        , sent_at
        , sender = 'agent' and sender_before = 'customer' as is_reply
        , {{ last_known(
            "case when sender = 'customer' and coalesce(sender_before, 'agent') = 'agent' then sent_at end",
            'business_date, session_id', 'message_no') }} as waiting_since
    from talk
)

, replies as (
    select
        session_id
        , business_date
        , count(*) filter (where sender = 'agent') as agent_messages
        , count(*) filter (where is_reply) as replies
        , sum({{ microseconds_between('waiting_since', 'sent_at') }}) filter (where is_reply) as response_us
        , min_by({{ microseconds_between('waiting_since', 'sent_at') }}, message_no) filter (where is_reply)
            as first_response_us
    from waits
    group by session_id, business_date
)

select
    sessions.session_id
    , sessions.business_date
    , sessions.agent_id
    , sessions.channel
    , sessions.started_at
    , sessions.ended_at
    , sessions.resolved
    , sessions.csat
    , cast(replies.first_response_us as bigint) as first_response_us
    , cast(coalesce(replies.replies, 0) as bigint) as replies
    , cast(coalesce(replies.response_us, 0) as bigint) as response_us
    , cast(coalesce(replies.agent_messages, 0) as bigint) as agent_messages
from {{ ref('stg_chat_sessions') }} as sessions
left join replies
    on sessions.session_id = replies.session_id and sessions.business_date = replies.business_date
