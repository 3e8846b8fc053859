"""What an answer costs, beside what others' cost, in one run: ``make bench``. A report, never a test."""
