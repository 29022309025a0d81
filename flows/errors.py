"""Errors that a user can mend: their message is enough, and no traceback is shown."""

from models.contracts import ModelNotFound
from flows.services import ServiceError
from storage.objects import StoreError
from tasks.recipe.errors import RecipeError

MENDABLE = (RecipeError, ModelNotFound, StoreError, ServiceError)
