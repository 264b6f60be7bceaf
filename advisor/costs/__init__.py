"""What a plan costs: owned, rented by the hour, or paid per token; and where one becomes cheaper than another."""
