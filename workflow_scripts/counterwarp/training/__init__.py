"""How networks are trained, stopped and continued."""
