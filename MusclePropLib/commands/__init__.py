"""The commands of `muscleprop`, one module each; none imports anything heavy before it runs."""
