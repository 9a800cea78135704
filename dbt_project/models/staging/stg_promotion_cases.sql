{{ newest_delivery('promotion_cases') }}
