"""Support vector machines: libsvm and liblinear, exact or approximated on many rows."""
