"""Run cases on the workers of a Dask cluster.

`driver` submits cases to the scheduler; `worker` is what Dask calls on each machine; `agent` is the process next to
each worker that runs the cases; `messages` is what they exchange.
"""
