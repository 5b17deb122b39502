"""Findings and rules → the next scans. Everything here is pure: values in, values out.

rule.py            a CascadingRule, read and checked
selector.py        which rules a scan lets follow
matcher.py         which findings a rule is about
expression.py      the same, said as an expression
scope_limiter.py   whether a finding may be followed at all
scan_proposal.py   all of a rule's templates, filled: one wish for one finding
argument_positions.py  where among nmap's words targets and ports stand
proposal_merger.py many wishes of one rule → few requests
inheritance.py     what a child has from its parent, and what from its rule
caps.py            how deep, how many, how much
rule_application.py  one rule on its way through the findings
decide_children.py  a scan's findings and all rules → decisions
child_documents.py  a child as a request, and as a manifest

The tags in a rule are cascan.templates: parse.py reads them, render.py fills them from a finding.
"""
