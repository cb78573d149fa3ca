"""What people see and press: the Pygame board window, the terminal board and the match behind both."""
