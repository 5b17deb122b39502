"""What versions of cascan stored and sent. README.md says more."""
