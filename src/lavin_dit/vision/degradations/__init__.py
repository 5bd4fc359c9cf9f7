"""What spoils a photo, one way per file: seeded, with all parameters in a record.

All need OpenCV (the extra ``data``), which is imported when it is used.
"""
