"""What clients speak to: untrusted bytes in, answers and updates out. A folder a subject, beside the ways in."""
