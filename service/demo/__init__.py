"""demo: two minutes in which a fake Claude API fails and pages go out."""
