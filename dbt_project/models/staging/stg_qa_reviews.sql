{{ landed('qa_reviews') }}
