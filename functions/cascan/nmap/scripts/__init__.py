"""nmap's own scripts: which ones a request selects, which it may run, and with which arguments."""

from cascan.nmap.scripts.choose_scripts import ScriptChoice as ScriptChoice
from cascan.nmap.scripts.choose_scripts import choose_scripts as choose_scripts
from cascan.nmap.scripts.judge_scripts import ScriptVerdict as ScriptVerdict
from cascan.nmap.scripts.judge_scripts import Verdict as Verdict
