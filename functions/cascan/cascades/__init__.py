"""Findings and rules → the next scans. Everything here is pure: values in, values out.

rule.py                 a CascadingRule, read and checked
selector.py             which rules a scan selects
matcher.py              which findings a rule matches
expression.py           the same as an expression in CEL; evaluation.py and evaluator.py run it in a
                        process with limits
scope_limiter.py        whether a finding may be followed at all
scan_proposal.py        all templates of a rule, rendered: one proposal for one finding
argument_positions.py   where targets and ports are among nmap's arguments
proposal_merger.py      many proposals of one rule → few requests
inheritance.py          what a child takes from its parent, and what from its rule
caps.py                 how deep, how many, how much
rule_application.py     one rule applied to the findings
decide_children.py      a scan's findings and all rules → decisions
child_documents.py      a child as a request, and as a manifest
pinned_rules.py         the rules that a scan's cascade uses, by name and version
bundled_rules.py        the rules that come with cascan

The templates of a rule are cascan.templates: parse.py reads them, render.py renders them from a
finding.
"""
