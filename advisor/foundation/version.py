"""The version of the application, shown on reports and kept with frozen recommendations."""

VERSION = "0.3.0"
