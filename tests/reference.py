"""Plain NumPy references: loops and definitions, nothing shared with the package."""

import numpy as np


def firing_rates(spikes):
    """Return N-SFR, C-SFR, T-SFR, NASFR of one layer; spikes (sample, time, channel[, y, x])."""
    n_samples, n_timesteps, n_channels = spikes.shape[:3]
    n_sfr = np.zeros(spikes.shape[1:])
    for t in range(n_timesteps):
        for c in range(n_channels):
            for position in np.ndindex(spikes.shape[3:]):
                fired = [spikes[(n, t, c, *position)] != 0 for n in range(n_samples)]
                n_sfr[(t, c, *position)] = sum(fired) / n_samples
    c_sfr = np.array([[n_sfr[t, c].mean() for c in range(n_channels)] for t in range(n_timesteps)])
    t_sfr = np.array([n_sfr[t].mean() for t in range(n_timesteps)])
    return n_sfr, c_sfr, t_sfr, t_sfr.mean()


def network_t_sfr(layers):
    """Return T-SFR over every neuron of several layers' spikes."""
    n_timesteps = layers[0].shape[1]
    rates = []
    for t in range(n_timesteps):
        n_sfr = [(spikes[:, t] != 0).mean(axis=0).ravel() for spikes in layers]
        rates.append(np.concatenate(n_sfr).mean())
    return np.array(rates)
