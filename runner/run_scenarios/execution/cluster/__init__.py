"""Cases on many machines: the engine is Dask distributed; ours is only what travels and who is asked.

`driver` hands cases to the scheduler; `worker` is what Dask calls on each machine; `agent` is the process beside each
worker that runs the cases and outlives nothing; `parcel` is what goes between them.
"""
