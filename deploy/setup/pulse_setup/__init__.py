"""What has to be there before the services start: tables, roles' passwords, topics."""
