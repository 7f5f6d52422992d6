"""What stands before every route: who asks from where, how often, what it is called, and what every answer carries."""
