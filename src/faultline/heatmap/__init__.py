"""Price path and estimated openings in, a ledger of forced orders by price, side and leverage out."""
