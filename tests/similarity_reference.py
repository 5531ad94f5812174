"""Plain references for similarity, ghosts and dimensionality: loops, nothing shared."""

import math

import numpy as np


def spike_gram(spikes):
    """Joint spikes (time, channel, channel) by counting; spikes (sample, time, channel[, y, x])."""
    n_samples, n_timesteps, n_channels = spikes.shape[:3]
    gram = np.zeros((n_timesteps, n_channels, n_channels), int)
    for n, t, a, b in np.ndindex(n_samples, n_timesteps, n_channels, n_channels):
        for position in np.ndindex(spikes.shape[3:]):
            both = spikes[(n, t, a, *position)] != 0 and spikes[(n, t, b, *position)] != 0
            gram[t, a, b] += both
    return gram


def jaccard(spikes, t):
    """Share of cells where both of two channels spike among those where one does, by sets."""
    n_channels = spikes.shape[2]
    cells = [set(map(tuple, np.argwhere(spikes[:, t, c] != 0))) for c in range(n_channels)]
    result = np.full((n_channels, n_channels), np.nan)
    for a, b in np.ndindex(n_channels, n_channels):
        if cells[a] and cells[b]:
            result[a, b] = len(cells[a] & cells[b]) / len(cells[a] | cells[b])
    return result


def _pairs(maps, compare):
    result = np.full((len(maps), len(maps)), np.nan)
    for a, b in np.ndindex(len(maps), len(maps)):
        if maps[a].any() and maps[b].any():
            result[a, b] = compare(maps[a].ravel().tolist(), maps[b].ravel().tolist())
    return result


def cosine(maps):
    """Cosine of every pair of maps (feature, y, x)."""

    def compare(a, b):
        dot = math.fsum(p * q for p, q in zip(a, b, strict=True))
        return dot / math.sqrt(math.fsum(p * p for p in a) * math.fsum(q * q for q in b))

    return _pairs(maps, compare)


def pearson(maps):
    """Correlation of every pair; constant maps: 1 with one another, 0 with the others."""

    def compare(a, b):
        flat_a, flat_b = len(set(a)) == 1, len(set(b)) == 1
        if flat_a or flat_b:
            return float(flat_a and flat_b)
        mean_a, mean_b = math.fsum(a) / len(a), math.fsum(b) / len(b)
        dot = math.fsum((p - mean_a) * (q - mean_b) for p, q in zip(a, b, strict=True))
        square_a = math.fsum((p - mean_a) ** 2 for p in a)
        square_b = math.fsum((q - mean_b) ** 2 for q in b)
        return dot / math.sqrt(square_a * square_b)

    return _pairs(maps, compare)


def average_linkage_groups(similarity, threshold):
    """Merge the two groups of largest mean similarity until it is below the threshold."""
    groups = [{i} for i in range(len(similarity)) if not np.isnan(similarity[i, i])]
    while len(groups) > 1:
        best, pair = -np.inf, None
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                values = [similarity[a, b] for a in groups[i] for b in groups[j]]
                if np.mean(values) > best:
                    best, pair = np.mean(values), (i, j)
        if best < threshold - 1e-12:
            break
        merged = groups[pair[0]] | groups[pair[1]]
        groups = [g for k, g in enumerate(groups) if k not in pair] + [merged]
    return groups


def unbiased_hsic(K, L):
    """HSIC_1 of Song et al. 2012, eq. 5: traces of kernels whose diagonal is zeroed."""
    n = len(K)
    K, L = np.array(K, float), np.array(L, float)
    np.fill_diagonal(K, 0)
    np.fill_diagonal(L, 0)
    one = np.ones(n)
    first = np.trace(K @ L)
    second = (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
    third = 2 * (one @ K @ L @ one) / (n - 2)
    return (first + second - third) / (n * (n - 3))


def hsic_by_quadruples(K, L):
    """The same as a U-statistic: the mean over ordered quadruples of distinct samples."""
    n = len(K)
    total, count = 0.0, 0
    for i, j, q, r in np.ndindex(n, n, n, n):
        if len({i, j, q, r}) == 4:
            total += K[i][j] * (L[i][j] + L[q][r] - 2 * L[i][q])
            count += 1
    return total / count


def cka(batches):
    """Minibatch CKA between timesteps; batches of spikes (sample, time, channel[, y, x])."""
    n_timesteps = batches[0].shape[1]
    hsic = np.zeros((n_timesteps, n_timesteps))
    for batch in batches:
        features = [
            (batch[:, t] != 0).reshape(len(batch), -1).astype(float) for t in range(n_timesteps)
        ]
        kernels = [f @ f.T for f in features]
        for t, s in np.ndindex(n_timesteps, n_timesteps):
            hsic[t, s] += len(batch) * unbiased_hsic(kernels[t], kernels[s])
    result = np.full((n_timesteps, n_timesteps), np.nan)
    for t, s in np.ndindex(n_timesteps, n_timesteps):
        if hsic[t, t] > 1e-9 and hsic[s, s] > 1e-9:
            result[t, s] = hsic[t, s] / np.sqrt(hsic[t, t] * hsic[s, s])
    return result


def dimensionality(spikes, t):
    """Effective rank and participation ratio from the spikes of all samples and positions."""
    n_channels = spikes.shape[2]
    rows = np.stack([(spikes[:, t, c] != 0).ravel().astype(float) for c in range(n_channels)])
    rows -= rows.mean(axis=1, keepdims=True)
    singular = np.linalg.svd(rows, compute_uv=False)
    singular = singular[singular > 1e-9]
    if len(singular) == 0:
        return math.nan, math.nan
    share = singular / singular.sum()
    effective_rank = math.exp(-sum(p * math.log(p) for p in share))
    eigenvalues = np.linalg.eigvalsh(np.cov(rows, bias=True).reshape(n_channels, n_channels))
    return effective_rank, eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
