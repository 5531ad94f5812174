"""How a network is watched before anything is read of it.

Here lives what finds out how a network wants to be called, whether all of its spiking layers
are known, whether its state goes with a reset, and which call of a neuron is which timestep.
It imports neurons and synapses, and nothing of statistics or results.
"""
