"""Reads the calendar part of mails by icalendar: it must have all that calendars need. Arguments: files of mails."""

import sys
from email import message_from_binary_file, policy
from pathlib import Path

from icalendar import Calendar

NEEDED = ("UID", "DTSTAMP", "DTSTART", "ORGANIZER", "SUMMARY")


def faults(part):
    """What is wrong with a calendar part."""
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    method = str(calendar.get("METHOD", ""))
    if not method:
        yield "no METHOD"
    if (part.get_param("method") or "").upper() != method:
        yield f"METHOD {method} is not that of the header: {part['Content-Type']}"
    events = calendar.walk("VEVENT")
    if len(events) != 1:
        yield f"{len(events)} events"
    for event in events:
        yield from (f"no {name}" for name in NEEDED if name not in event)
        yield from (f"{name}: {error}" for name, error in event.errors)
        start, end = event.get("DTSTART"), event.get("DTEND")
        if start and end and not start.dt < end.dt:
            yield "it ends before it begins"


found, failed = 0, False
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        mail = message_from_binary_file(file, policy=policy.default)
    for part in mail.walk():
        if part.get_content_type() != "text/calendar":
            continue
        found += 1
        for fault in faults(part):
            failed = True
            print(f"{Path(name).parent.name}: {fault}", file=sys.stderr)
if not found:
    failed = True
    print("no mail has a calendar part", file=sys.stderr)
sys.exit(failed)
