-- The least that a night can cost: scorecards.agent_daily of one date, made by hand in one query from the same
-- accepted Parquet files ({chat_sessions}, {chat_messages}, … are replaced by their paths).
copy (
    with
    turns as (
        select
            session_id, message_no, sender, sent_at,
            sum(case when sender = 'agent' then 1 else 0 end)
                over (partition by session_id order by message_no rows between unbounded preceding and 1 preceding)
                as answers_before
        from read_parquet('{chat_messages}')
        where sender in ('customer', 'agent')
    ),

    waits as (
        select
            session_id, message_no, sender, sent_at,
            min(case when sender = 'customer' then sent_at end)
                over (partition by session_id, coalesce(answers_before, 0)) as waiting_since,
            min(case when sender = 'customer' then message_no end)
                over (partition by session_id) as first_question
        from turns
    ),

    by_session as (
        select
            session_id,
            min_by(sent_at, message_no) filter (sender = 'customer') as asked_at,
            min_by(sent_at, message_no) filter (sender = 'agent' and message_no > first_question) as answered_at,
            sum(epoch_us(sent_at) - epoch_us(waiting_since))
                filter (sender = 'agent' and waiting_since is not null and sent_at >= waiting_since) as reply_us,
            count(*) filter (sender = 'agent' and waiting_since is not null and sent_at >= waiting_since) as replies
        from waits
        group by session_id
    ),

    contacts as (
        select
            s.agent_id, 1 as sessions, 0 as calls_answered, s.csat,
            epoch_us(m.answered_at) - epoch_us(m.asked_at) as first_us, m.reply_us, m.replies
        from read_parquet('{chat_sessions}') as s
        left join by_session as m using (session_id)
        union all
        select agent_id, 0, 1, csat, epoch_us(answered_at) - epoch_us(queued_at), null, null
        from read_parquet('{calls}')
        where answered_at is not null
    ),

    contact_days as (
        select
            agent_id, sum(sessions) as sessions, sum(calls_answered) as calls_answered,
            avg(first_us) / 1e6 as first_response_seconds, sum(reply_us) / sum(replies) / 1e6 as response_seconds,
            count(*) filter (csat >= 4) / count(csat) as csat_rate
        from contacts
        group by agent_id
    ),

    qa_days as (
        select agent_id, sum(points) as qa_deduction from read_parquet('{qa_reviews}') group by agent_id
    ),

    ticket_days as (
        select agent_id, count(*) as tickets from read_parquet('{tickets}') group by agent_id
    )

    select
        agent_id, sessions, calls_answered, first_response_seconds, response_seconds, csat_rate,
        coalesce(qa_deduction, 0) as qa_deduction, coalesce(tickets, 0) as tickets
    from contact_days
    full join qa_days using (agent_id)
    full join ticket_days using (agent_id)
    order by agent_id
) to '{out}' (format parquet)
