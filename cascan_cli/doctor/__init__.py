"""The checks of `cascan doctor`: of a stack, of its AWS account, and of this machine."""
