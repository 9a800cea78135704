{{ newest_delivery('targets') }}
