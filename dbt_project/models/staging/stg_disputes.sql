{{ newest_delivery('disputes') }}
