"""Synaptic layers under observation: what comes in, who feeds them, what it costs."""

from __future__ import annotations

from redundancy.synapses.probes import SynapseProbes

__all__ = ["SynapseProbes"]
