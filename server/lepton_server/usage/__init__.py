"""Usage of storage: bills by repository, tenant and branch."""
