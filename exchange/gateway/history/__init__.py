"""What an account has done."""
