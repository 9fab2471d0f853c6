"""The tests: they read as a specification of each room, and of the way through the whole house."""
