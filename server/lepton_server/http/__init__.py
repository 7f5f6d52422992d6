"""HTTP: the application, its routes, and all that lies around a request."""
