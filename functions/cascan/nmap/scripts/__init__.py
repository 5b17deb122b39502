"""nmap's own scripts: which ones a request selects, and which of them it may run with which arguments."""

from cascan.nmap.scripts.choice import ScriptChoice as ScriptChoice
from cascan.nmap.scripts.choice import choose_scripts as choose_scripts
from cascan.nmap.scripts.judgement import ScriptVerdict as ScriptVerdict
from cascan.nmap.scripts.judgement import Verdict as Verdict
