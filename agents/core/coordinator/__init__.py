"""The HTTP coordinator of older agents: agents register there and report, where BACKEND_URL names one."""
