"""The whole pipeline on the emulator, with the real nmap."""
