"""The one door: what every request passes before it reaches a service."""
