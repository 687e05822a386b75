"""The pytest plug-in. Importing it must stay cheap: every pytest run of the environment does."""
