"""`cascan ui`: the console, a small web server on this machine over the queries of the commands.

serve.py listens, app.py has the routes, guard.py decides which requests are answered, pages/ has one
module a page. Everything on a page is text of hosts, messages or AWS: templates escape it.
"""
